"""How a run speaks to its teacher: which teachers take a system prompt and template arguments."""

from readbench.api import Teacher
from readbench.base.errors import ConfigError
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.teachers.endpoint.teacher import OpenAITeacher
from readbench.teachers.local import LocalTeacher


def set_chat(teacher: Teacher, name: str, chat: ChatConfig) -> None:
    """Gives the chat settings to the teacher of that plug-in, before it is asked; ConfigError where it has no use for them."""
    if isinstance(teacher, LocalTeacher | OpenAITeacher):
        teacher.chat = chat
    elif chat != NO_CHAT:
        raise ConfigError(f"teacher_chat has no effect on teacher {name!r}", hint="it is for local teachers and for openai: drop it")
