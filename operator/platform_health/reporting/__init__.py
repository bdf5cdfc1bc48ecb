"""Reports in, data out: text, JSON, status, events and metrics from findings; nothing here touches the world."""
