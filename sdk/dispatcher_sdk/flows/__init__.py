"""What the client does, without doing any I/O: generators that yield a `Request` or a `Pause` and are sent the
`Response`. The drivers perform the steps, one with blocking calls and one with asyncio; the logic exists once."""
