"""How long bytes stay: uses, cold storage, holds, garbage, erasures, and the end of a tenant."""
