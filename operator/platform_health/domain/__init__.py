"""Questions that several invariants share, each written once and tested on its own. A map of where to ask:

- **a container**: ``command`` what it runs, ``environment``, ``images`` and their versions, ``servers`` which server
  it is, ``listening`` and ``reachable`` on which ports, ``exporters`` its metrics, ``guarded`` what wants a key
- **a pod**: ``selection`` which ones, ``pods``, ``readiness``, ``endings`` why it does not run, ``scheduling`` and
  ``gpu`` where it could, ``gpu_memory``, ``hub`` where its model comes from, ``warmup``, ``replicas``, ``meshes``
- **requests on their way**: ``gateways`` and their implementations, ``attachment``, ``hostnames``, ``paths``,
  ``certificates``, ``grants``, ``routing``, ``timeouts``, ``budgets``
- **pools and pickers**: ``pools``, ``pool_gateways``, ``endpoints``, ``pickers``, ``picker_configs``,
  ``picker_plugins``, ``picker_rules``, ``picker_rights``, ``rbac``, ``scoring``
- **the network**: ``networkpolicies`` may it pass, ``flows``, ``protection``, ``openings``, ``namespaces``
- **monitoring**: ``monitoring`` who selects a monitor, ``selecting`` why nobody, ``targets``, ``scraping``,
  ``scrapers``, ``metrics_access``, ``promql``, ``queries``, ``series``, ``metrics`` and ``renaming`` of retired
  names, ``grafana``
- **routers**: ``routers``, ``router_faults``, ``router_discovery``, ``production_stack``, ``fallbacks``,
  ``upstreams``, ``upstream_models``, ``auth_proxy``, ``config_users``, ``reloading``
- **who owns what**: ``ownership``, ``argo``, ``flux``, ``autoscaling``
- ``durations`` and ``patches`` are small tools of the trade
"""
