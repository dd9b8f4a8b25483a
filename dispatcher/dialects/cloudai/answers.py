"""Answers about tasks and their files, and errors. Times are epoch seconds, 0 while unset; memory and storage are in GB
of 2**30 bytes."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

TaskStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


class ListedTask(TypedDict):
    task_id: str
    docker_image: str
    status: TaskStatus
    cpu_required: float
    memory_required: float
    storage_required: float
    gpu_required: float
    user_id: str
    tag: str
    k_value: float
    submitted_at: int
    assigned_at: int
    started_at: int
    completed_at: int
    assigned_worker: str


class TaskList(TypedDict):
    tasks: list[ListedTask]


class TaskDetails(ListedTask):
    command: str
    attempt: int
    error: str
    retry_of: str


class TaskBrief(TypedDict):
    task_id: str
    docker_image: str
    status: TaskStatus
    tag: str
    k_value: float


class SubmittedTask(TypedDict):
    success: bool
    message: str
    task_id: str
    task: TaskBrief


class Done(TypedDict):
    success: bool
    message: str


class Retried(TypedDict):
    success: bool
    message: str
    new_task_id: str
    original_task_id: str


class TaskLogs(TypedDict):
    task_id: str
    logs: str
    status: TaskStatus
    completed_at: int


class ListedFile(TypedDict):
    file_id: str
    task_id: str
    file_name: str
    file_path: str
    file_size: int
    uploaded_at: int


class FileList(TypedDict):
    user_id: str
    files: list[ListedFile]
    count: int


class TaskFile(TypedDict):
    file_id: str
    file_name: str
    file_path: str
    file_size: int
    content_type: str
    uploaded_at: int


class TaskFiles(TypedDict):
    task_id: str
    user_id: str
    files: list[TaskFile]


class Health(TypedDict):
    status: Literal["ok"]


class ErrorAnswer(TypedDict):
    error: str
    code: NotRequired[str]
    requestId: NotRequired[str]
