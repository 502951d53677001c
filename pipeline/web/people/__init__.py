"""Whoever uses the REST API.

caller.py       who a request comes from, and what that role may do
accounts.py     users, API keys and sessions as they stand in the topic (pure)
lockout.py      failures to log in, by user and by address (pure)
sessions.py     log in, log out, and find whoever a token or a key belongs to
gate.py         the door of the API: every request passes it
first_user.py   the one-time link while there is no user; first_user_page.py: what it shows
"""
