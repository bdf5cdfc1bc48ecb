"""What is embedded in objects or stands in files of its own: dashboards and the configurations of routers and pickers.

A document is a typed picture, made once per text, with paths relative to the text. :mod:`.texts` says where the texts
of an object stand, so that a path inside a document becomes a path of the object that carries it.
"""
