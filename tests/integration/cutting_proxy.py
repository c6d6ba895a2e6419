#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A line that fails: passes HTTP on to PORT, but of every Nth answer to POST /v1/blocks nothing.

usage: cutting_proxy.py PORT PORT-FILE N
"""
import http.client
import http.server
import sys

target, port_file, every = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0


class Line(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def pass_on(self):
        global seen
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        there = http.client.HTTPConnection("127.0.0.1", target)
        there.request(self.command, self.path, body,
                      {"Content-Type": self.headers.get("Content-Type", "")})
        answer = there.getresponse()
        content = answer.read()
        if self.path == "/v1/blocks":
            seen += 1
            if seen % every == 0:
                with open(port_file + ".cuts", "a") as out:
                    print(self.path, file=out)
                self.connection.close()
                self.close_connection = True
                return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = pass_on

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError, ValueError, OSError):
            pass


server = http.server.HTTPServer(("127.0.0.1", 0), Line)
with open(port_file, "w") as out:
    print(server.server_port, file=out)
server.serve_forever()
