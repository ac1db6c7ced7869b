"""Announces each task and what came of it, see announcements.ts; prints a line each, as JSON: the play, the task, the outcome."""

import json
import os
import urllib.request

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: announce
type: stdout
short_description: announces tasks
description: Announces each task before it runs, and what came of it.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "announce"

    play = ""

    def announce(self, what, said):
        request = urllib.request.Request(f"{os.environ['ANNOUNCE_TO']}/{what}", said.encode(), method="POST")
        urllib.request.urlopen(request, timeout=330).read()

    def ended(self, result, outcome):
        self.announce("end", outcome)
        told = {"play": self.play, "task": result._task.get_name(), "outcome": outcome}
        if outcome == "failed":
            told["why"] = result._result.get("msg")
        self._display.display(json.dumps(told))

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.announce("begin", f"{self.play}: {task.get_name()}")

    def v2_runner_on_ok(self, result):
        self.ended(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended(result, "failed")

    def v2_runner_on_skipped(self, result):
        self.ended(result, "skipped")
