/** User-data and file contents travel in messages; Pulumi's limit is 400 MiB, gRPC's own 4 MiB. */
const largestMessage = 400 * 1024 * 1024;

/** Options of every gRPC server and client between engine, plugins and the program's callbacks. */
export const channelOptions = {
  "grpc.max_receive_message_length": largestMessage,
  "grpc.max_send_message_length": largestMessage,
};
