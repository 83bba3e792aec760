"""TLS in front of a registry: passes on what comes with the right token.

    tls_front.py PORT_FILE TARGET CERTIFICATE KEY TOKEN [CLIENT_AUTHORITY]

TARGET is HOST:PORT of the registry itself. With CLIENT_AUTHORITY who comes must show a certificate that it
signed. Writes its port to PORT_FILE; a line for each request to standard output."""

import http.client
import http.server
import os
import ssl
import sys

PORT_FILE, TARGET, CERTIFICATE, KEY, TOKEN = sys.argv[1:6]


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        shown = self.connection.getpeercert() or {}
        names = [value for part in shown.get("subject", ()) for name, value in part if name == "commonName"]
        print(self.command, self.path, *names, flush=True)
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            self.answer(401, b'{"error_code":401,"message":"Unauthorized"}')
            return
        client = http.client.HTTPConnection(TARGET, timeout=30)
        client.request(self.command, self.path, body or None, {"Content-Type": self.headers.get("Content-Type")})
        answer = client.getresponse()
        self.answer(answer.status, answer.read())
        client.close()

    do_GET = do_POST = do_PUT = do_DELETE = pass_on

    def log_message(self, *args):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
if len(sys.argv) > 6:
    context.load_verify_locations(sys.argv[6])
    context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(PORT_FILE + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
