"""Production on Kubernetes: the manifests of `base/`, `overlays/` and `components/`, and the Python that writes and checks them.

`python -m kuberay.render` (make manifests) writes every YAML file from the pool table of `cluster/topology.py`, from which
region differs in what (`regions.py`), and from which pool holds which secret and reaches whom (`duties.py`). Nobody edits
the YAML. `python -m kuberay.check` (make manifests-check) builds every overlay with every set of components, and judges
what comes out. Nothing of the service imports this package.
"""
