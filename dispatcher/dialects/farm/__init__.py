"""AI Farm: training tasks that clients fetch over a WebSocket, managed over REST."""
