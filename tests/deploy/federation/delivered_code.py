"""An application whose own code, delivered to every site, would leave a mark if any site ran it."""

from __future__ import annotations

DELIVERED = """
[project]
name = "delivered"
version = "0.1.0"
description = "Asks every site, with code of its own"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "somebody"
[tool.flwr.app.components]
serverapp = "asker:app"
clientapp = "thief:app"
"""
THIEF = """
from flwr.clientapp import ClientApp
open({ran!r}, "w").write("imported")
app = ClientApp()
@app.train()
def steal(message, context):
    open({ran!r}, "w").write("ran")
"""
ASKER = """
import json, os
from flwr.app import Message
from flwr.serverapp import ServerApp
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, from_records, to_records
app = ServerApp()
@app.main()
def main(grid, context):
    asked = to_records(Payload(fields={{"round": 1}}))
    messages = [Message(asked, dst_node_id=node, message_type="train") for node in grid.get_node_ids()]
    replies = grid.send_and_receive(messages, timeout=300)
    told = [str(from_records(reply.content).fields.get(PROBLEM)) for reply in replies]
    with open({answers!r} + ".part", "w") as stream:
        json.dump(told, stream)
    os.replace({answers!r} + ".part", {answers!r})
"""
