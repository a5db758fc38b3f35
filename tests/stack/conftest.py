"""One local stack for the whole run, of real parts; each test uses a tenant, course and learner of its own."""
