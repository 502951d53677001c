"""The answers about objects, dead letters and jobs, as types. The OpenAPI document has its schemas from here."""
