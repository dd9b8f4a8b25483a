from tests.support.leaks import no_task_leaks

__all__ = ["no_task_leaks"]
