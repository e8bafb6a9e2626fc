"""A gRPC client that has none of our definitions: it learns them from the server, and calls."""

import os

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

requests = 0


def learn(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    return database, DescriptorPool(database)


class Service:
    """The methods of a service as functions of dictionaries."""

    def __init__(self, channel, pool, name, credential):
        self.channel, self.name = channel, name
        self.metadata = (("authorization", f"Bearer {credential}"),)
        self.methods = pool.FindServiceByName(name).methods_by_name

    def call(self, method, stream=False, credential=None, **fields):
        global requests
        requests += method in ("Chat", "ChatStream", "Embed", "Moderate", "Rerank", "GenerateImage", "Speech", "Transcribe", "ApplyGuardrail")
        found = self.methods[method]
        request, answer = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
        path = f"/{self.name}/{method}"
        kind = self.channel.unary_stream if stream else self.channel.unary_unary
        stub = kind(path, request_serializer=request.SerializeToString, response_deserializer=answer.FromString)
        return stub(request(**fields), timeout=30, metadata=self.metadata if credential is None else credential)


channel = grpc.insecure_channel(os.environ["ADDRESS"])
database, pool = learn(channel)
services = database.get_services()
assert "chancery.inference.v1.Inference" in services and "grpc.health.v1.Health" in services, services
inference = Service(channel, pool, "chancery.inference.v1.Inference", os.environ["API_KEY"])

hello = {"model": "sim-mistral-large", "messages": [{"role": "ROLE_USER", "content": [{"text": "hello"}]}]}
answer = inference.call("Chat", **hello)
text = answer.choices[0].message.content[0].text
assert text.endswith("you said hello"), answer
assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0

stream = inference.call("ChatStream", stream=True, **hello)
told = dict(stream.initial_metadata())
assert told["x-chancery-geo"] == "eu" and told["x-chancery-revision"], told
events = list(stream)
assert [event.WhichOneof("event") for event in events][0] == "start"
assert [event.WhichOneof("event") for event in events][-1] == "usage"
assert "".join(event.delta.text for event in events) == text
assert dict(stream.trailing_metadata())["x-chancery-geo"] == "eu"

vectors = inference.call("Embed", model="sim-embed-small", inputs=["one", "two"])
assert [len(vector.values) for vector in vectors.embeddings] == [1536, 1536]
judged = inference.call("Moderate", model="sim-moderation", inputs=["I will kill you", "a nice day"])
assert [result.flagged for result in judged.results] == [True, False], judged
assert [category.name for category in judged.results[0].categories if category.flagged] == ["violence"], judged
documents = ["fish swim", "Paris, capital of France"]
ordered = inference.call("Rerank", model="sim-rerank", query="capital of France", documents=documents, return_documents=True)
assert [result.index for result in ordered.results] == [1, 0] and ordered.results[0].document == documents[1], ordered
made = inference.call("GenerateImage", model="sim-image", prompt="a cat", n=2)
assert len(made.images) == 2 and made.images[0].data.startswith(b"\x89PNG") and made.usage.output_tokens == 544, made
sound = list(inference.call("Speech", stream=True, model="sim-speech", voice="alloy", input="one two three"))
assert sound[0].media_type == "audio/wav" and len(b"".join(piece.data for piece in sound)) == 44 + 3 * 400
said = inference.call("Transcribe", model="sim-whisper", data=b"a nice day", filename="a.wav", segments=True)
assert said.text == said.segments[0].text == "a nice day", said
assert inference.call("CountTokens", **hello).input_tokens > 0
card = dict(guardrail="baseline", direction="GUARDRAIL_DIRECTION_INPUT", texts=["fine", "card 4111 1111 1111 1111"])
checked = inference.call("ApplyGuardrail", **card)
assert checked.guardrail == "guardrails/baseline" and checked.texts[0] == "fine", checked
assert checked.texts[1] == "card [CREDIT_DEBIT_CARD_NUMBER_1]" and checked.findings[0].count == 1, checked
blocked = inference.call("ApplyGuardrail", **dict(card, texts=["about project-x"]))
assert not blocked.texts and blocked.findings[0].type == "WORD", blocked
models = [model.name for model in inference.call("ListModels").models]
assert "sim-gpt-4o" in models and models == sorted(models), models
page = inference.call("ListModels", page_size=5)
assert [model.name for model in page.models] == models[:5] and page.next_page_token
assert inference.call("GetModel", name="default-chat").name == "sim-gpt-4o"
assert inference.call("GetQuota").quotas


def refused(code, reason, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert reason.encode() in details, details
        return error
    raise AssertionError(f"{reason} was not refused")


nobody = (("authorization", "Bearer chy_nobody_knows"),)
refused(grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key", lambda: inference.call("Chat", credential=nobody, **hello))
refused(grpc.StatusCode.UNAUTHENTICATED, "missing_api_key", lambda: inference.call("Chat", credential=(), **hello))
for method, fields in (("ApplyGuardrail", card), ("Moderate", {"inputs": ["x"]}), ("Rerank", {"query": "x", "documents": ["y"]}), ("CountTokens", hello)):
    for reason, credential in (("invalid_api_key", nobody), ("missing_api_key", ())):
        fields = fields if method == "ApplyGuardrail" else dict(fields, model="sim-mistral-large")
        refused(grpc.StatusCode.UNAUTHENTICATED, reason, lambda: inference.call(method, credential=credential, **fields))
refused(grpc.StatusCode.NOT_FOUND, "not_found", lambda: inference.call("ApplyGuardrail", **dict(card, guardrail="nobody")))
other = dict(hello, model="no-such-model")
refused(grpc.StatusCode.NOT_FOUND, "model_not_found", lambda: inference.call("Chat", **other))
other = dict(hello, model="sim-gemini-pro")
refused(grpc.StatusCode.PERMISSION_DENIED, "residency_unsatisfied", lambda: inference.call("Chat", **other))
social = dict(hello, metadata={"purpose": "social-scoring"})
refused(grpc.StatusCode.PERMISSION_DENIED, "rule_forbids", lambda: inference.call("Chat", **social))
refused(grpc.StatusCode.NOT_FOUND, "model_not_found", lambda: inference.call("CountTokens", **dict(hello, model="no-such-model")))
refused(grpc.StatusCode.PERMISSION_DENIED, "content_blocked", lambda: inference.call(
    "Rerank", model="sim-rerank", query="who?", documents=["fine", "about project-x"]))
refused(grpc.StatusCode.INVALID_ARGUMENT, "operation_unsupported", lambda: inference.call(
    "Moderate", model="sim-mistral-large", inputs=["x"]))
refused(grpc.StatusCode.INVALID_ARGUMENT, "messages", lambda: inference.call("Chat", model="sim-mistral-large"))

# The admin API is learnt the same way.
admin_channel = grpc.insecure_channel(os.environ["ADMIN_ADDRESS"])
admin_database, admin_pool = learn(admin_channel)
assert "chancery.admin.v1.TeamsService" in admin_database.get_services()
teams = Service(admin_channel, admin_pool, "chancery.admin.v1.TeamsService", os.environ["ADMIN_TOKEN"])
assert [team.name for team in teams.call("ListTeams", parent="tenants/acme").teams][0] == "tenants/acme/teams/engineering"

print(f"requests: {requests}")
