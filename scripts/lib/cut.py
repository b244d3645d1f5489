"""A TCP proxy in front of Postgres that cuts the connection at a COMMIT, in turn before it and after it.

    python3 scripts/lib/cut.py HOST PORT SEED

Prints the port that it listens on, then a line for each cut: `before` where the server never saw the COMMIT, `after`
where it confirmed one of which the client never heard. A cut comes after 1 to 30 COMMITs, so that a run which has little
left to do gets through.
"""

import asyncio
import random
import struct
import sys

COMMIT = b"Q" + struct.pack(">I", 4 + len(b"COMMIT\0")) + b"COMMIT\0"
# What the server says when it has committed.
COMMITTED = b"C" + struct.pack(">I", 4 + len(b"COMMIT\0")) + b"COMMIT\0"


class Cutter:
    def __init__(self, host, port, seed):
        self.host, self.port = host, port
        self.random = random.Random(seed)
        self.left = self.random.randint(1, 30)
        self.cuts = 0

    async def serve(self, client_reader, client_writer):
        try:
            server_reader, server_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            client_writer.close()
            return
        # Once set, the server's confirmation is not passed on.
        swallow = asyncio.Event()
        ways = [
            asyncio.create_task(self.up(client_reader, server_writer, swallow)),
            asyncio.create_task(self.down(server_reader, client_writer, swallow)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in (client_writer, server_writer):
            writer.transport.abort()

    async def up(self, reader, writer, swallow):
        """From the client. Ends when the connection is to be cut."""
        while data := await reader.read(1 << 16):
            # A client waits for the answer to its COMMIT, so nothing follows it in the same read.
            if data.endswith(COMMIT):
                self.left -= 1
                if self.left == 0:
                    self.left = self.random.randint(1, 30)
                    self.cuts += 1
                    if self.cuts % 2:
                        print("before", flush=True)
                        return
                    swallow.set()
            writer.write(data)
            await writer.drain()

    async def down(self, reader, writer, swallow):
        """From the server."""
        while data := await reader.read(1 << 16):
            if swallow.is_set() and COMMITTED in data:
                print("after", flush=True)
                return
            writer.write(data)
            await writer.drain()


async def main():
    cutter = Cutter(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
