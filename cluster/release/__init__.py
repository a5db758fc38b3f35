"""The release of the API: two versions side by side, a growing share of requests for the new one, and who decides.

Read in this order: `plan` (steps and objectives, as data), `evidence` (what was seen of both versions), `statistics` and
`judgement` (what it says), `decision` (what follows, as a value with a reason), `state` (what is kept between two looks, in
the object that holds the weights), `promoter` (one look after the other). Around it stand the adapters: `prometheus`,
`shadow` (the same questions to both versions), `kubernetes` and `local_gateway` (where weights are set), `edge` (a new shape
of manifests). Everything up to `state` is pure.
"""
