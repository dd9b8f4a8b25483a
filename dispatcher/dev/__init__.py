"""What `dispatcher dev` shows a newcomer: demo servers, secrets of its own, traffic on request. Never in production."""
