"""What both ends of the worker's socket must agree on beside the messages: the calls' names and their limits."""

from __future__ import annotations

from client.worker.parts import LARGEST_PART
from client.worker.worker_pb2 import DESCRIPTOR
from shared_model.run_plan import Question

SERVICE = DESCRIPTOR.services_by_name["SiteWorker"].full_name
OPTIONS = [("grpc.max_receive_message_length", LARGEST_PART), ("grpc.max_send_message_length", LARGEST_PART)]
LONGEST_CALL = 48 * 3600.0  # seconds; a deadline beyond it is none
UNEXPECTED = "error at the site"  # how an error that is not ours is told


def method(question: Question) -> str:
    """The call's name in worker.proto: site_figures is SiteFigures."""
    return "".join(part.capitalize() for part in question.split("_"))
