"""Every deployment as a bound Serve application: what a replica asks of its node, how its pool grows, how it leaves.

One module per cluster, since each is its own image: `api` and `workers` are in the service's, `importer` in one that has none
of what the others import. `serve_app.app` deploys them onto a local cluster; a production cluster finds them by name in
`serve_app.production`.
"""
