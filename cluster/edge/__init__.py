"""The CDN: one table of rules, signed addresses and cookies, its keys, and what makes it forget."""
