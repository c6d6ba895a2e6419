# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal of its own, as people have it who type shares."""
import os
import pty
import select
import sys
import time


class Screen:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.text = ""
    def until(self, words):
        end = time.time() + 60
        while words not in self.text:
            if time.time() > end or not select.select([self.fd], [], [], 60)[0]:
                sys.exit("no '%s' on the screen: %r" % (words, self.text))
            try:
                self.text += os.read(self.fd, 4096).decode()
            except OSError:
                break
        at = self.text.find(words) + len(words) if words in self.text else len(self.text)
        shown, self.text = self.text[:at], self.text[at:]
        return shown
    def type(self, line):
        time.sleep(0.1) # the terminal drops what is typed before the echo is off
        os.write(self.fd, (line + "\r").encode())
    def end(self):
        shown = self.until("\0never")
        return shown, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
