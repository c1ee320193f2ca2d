"""The states of a run, which a broker retains: the newest of each topic is sent, and again at each connection."""

from __future__ import annotations

import threading
from typing import Dict, Optional, Set

from edge_runtime.sinks._topics import Message


class States:
    """From any thread."""

    def __init__(self) -> None:
        self._newest: Dict[str, Message] = {}
        self._due: Set[str] = set()
        self._leaving: Set[str] = set()  # topics of removed sources
        self._unwanted: Set[str] = set()  # topics that were set aside
        self._lock = threading.Lock()

    @property
    def due(self) -> bool:
        """Whether one is to be sent."""
        return bool(self._due)

    def put(self, message: Message) -> None:
        """Replaces an earlier one of its topic."""
        with self._lock:
            if message.topic not in self._unwanted:
                self._newest[message.topic] = message
                self._due.add(message.topic)

    def keep(self, topics: Set[str], kept: bool) -> None:
        """Whether states of these topics are sent at each connection; else they go once the broker has them."""
        with self._lock:
            self._leaving = self._leaving - topics if kept else self._leaving | topics
            self._due |= self._leaving & set(self._newest)

    def all_again(self) -> None:
        """All are to be sent."""
        with self._lock:
            self._due.update(self._newest)

    def next(self, first: object) -> Optional[Message]:
        """What is to be sent, in the same order at each connection. Args: first: the topic that goes before others."""
        with self._lock:
            if not self._due:
                return None
            topic = first if isinstance(first, str) and first in self._due else min(self._due)
            self._due.discard(topic)
            return self._newest[topic]

    def acknowledged(self, topic: str) -> None:
        """The broker has all of a topic that was sent."""
        with self._lock:
            if topic in self._leaving and topic not in self._due:
                self._newest.pop(topic, None)

    def set_aside(self, topic: str) -> Optional[Message]:
        """It is never sent again. Returns the newest one."""
        with self._lock:
            self._unwanted.add(topic)
            self._due.discard(topic)
            return self._newest.pop(topic, None)
