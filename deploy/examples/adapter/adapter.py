"""An adapter in Python, without generated code: the definitions are read by reflection from a data plane of the gateway.

    pip install grpcio-reflection
    . .chancery/dev.env && python3 deploy/examples/adapter/adapter.py 127.0.0.1:50051

It does what adapter.rs does: it counts words. What is not here (Embed, Moderate, Rerank) is UNIMPLEMENTED by itself.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "chancery.adapter.v1.Adapter"
STOP, ASSISTANT = 1, 4  # FINISH_REASON_STOP, ROLE_ASSISTANT

gateway = grpc.insecure_channel(os.environ["CHANCERY_DATA_URL"].removeprefix("http://"))
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(gateway))
methods = {method.name: method for method in pool.FindServiceByName(SERVICE).methods}
response = message_factory.GetMessageClass(methods["Chat"].output_type)
event = message_factory.GetMessageClass(methods["ChatStream"].output_type)


def answer(request, context):
    """What is said, and the tokens of input and of output."""
    if request.n > 1:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this house has one answer")
    said = [part.text for message in request.messages for part in message.content if part.HasField("text")]
    if not said:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nobody said anything")
    text = f"{request.model} counts {len(said[-1].split())} words: {said[-1]}"
    return text, {"input_tokens": sum(len(one.split()) for one in said), "output_tokens": len(text.split())}


def chat(request, context):
    text, usage = answer(request, context)
    message = {"role": ASSISTANT, "content": [{"text": text}]}
    return response(choices=[{"message": message, "finish_reason": STOP}], usage=usage)


def chat_stream(request, context):
    text, usage = answer(request, context)
    yield event(start={})
    words = text.split(" ")
    for at, word in enumerate(words):
        yield event(delta={"text": word if at + 1 == len(words) else word + " "})
    yield event(finish={"reason": STOP})
    yield event(usage=usage)


def read(name):
    return message_factory.GetMessageClass(methods[name].input_type).FromString


def write(message):
    return message.SerializeToString()


handlers = {
    "Chat": grpc.unary_unary_rpc_method_handler(chat, read("Chat"), write),
    "ChatStream": grpc.unary_stream_rpc_method_handler(chat_stream, read("ChatStream"), write),
}
server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
