"""A gRPC call without generated code: the service is read by reflection, as grpcurl does it.

    grpcurl -plaintext -H "authorization: Bearer $CHANCERY_API_KEY" \\
      -d '{"model": "sim-gpt-4o", "messages": [{"role": "ROLE_USER", "content": [{"text": "hi"}]}]}' \\
      127.0.0.1:8080 chancery.inference.v1.Inference/Chat
"""

import json
import os
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(os.environ["CHANCERY_DATA_URL"].removeprefix("http://"))
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
method = pool.FindServiceByName("chancery.inference.v1.Inference").FindMethodByName("Chat")
request_class = message_factory.GetMessageClass(method.input_type)
response_class = message_factory.GetMessageClass(method.output_type)

request = json_format.ParseDict(json.loads(sys.argv[1]), request_class())
call = channel.unary_unary(
    "/chancery.inference.v1.Inference/Chat",
    request_serializer=request_class.SerializeToString,
    response_deserializer=response_class.FromString,
)
response = call(request, metadata=[("authorization", "Bearer " + os.environ["CHANCERY_API_KEY"])])
print(json_format.MessageToJson(response, indent=2))
