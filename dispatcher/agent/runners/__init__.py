"""Ways to run a task. Each serves kinds of tasks; the agent offers those of the runners that it was started with."""
