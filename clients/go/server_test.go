package cutline

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

// serve runs a gRPC server in memory and returns a client of it; both end with the test.
func serve(t *testing.T, register func(*grpc.Server), settings Settings) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	register(server)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	settings.IngestTarget, settings.StatusTarget = "passthrough:///memory", "passthrough:///memory"
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
	client, err := New(settings, grpc.WithContextDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// refusal is an error as the services send it: with its reason, and with a delay or a field at fault.
func refusal(t *testing.T, code codes.Code, reason string, more ...protoadapt.MessageV1) error {
	t.Helper()
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "cutline", Metadata: map[string]string{"trace_id": "4bf9"}}
	failure, err := status.New(code, "No.").WithDetails(append([]protoadapt.MessageV1{info}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return failure.Err()
}

var soon = &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}

// scriptedStatus answers each watch by the next of its scripts: messages, then the error, if there is one.
type scriptedStatus struct {
	cutlinev1.UnimplementedStatusServiceServer
	one   []script[cutlinev1.WatchDesignResponse]
	all   []script[cutlinev1.WatchDesignsResponse]
	asked []any
	ended chan struct{} // where it is set, streams stay open, and this one is closed when the first is cancelled
}

type script[M any] struct {
	messages []*M
	end      error
}

func (s *scriptedStatus) WatchDesign(
	request *cutlinev1.WatchDesignRequest, stream grpc.ServerStreamingServer[cutlinev1.WatchDesignResponse],
) error {
	s.asked = append(s.asked, request.GetAfterRevision())
	return play(stream, &s.one, s.ended)
}

func (s *scriptedStatus) WatchDesigns(
	request *cutlinev1.WatchDesignsRequest, stream grpc.ServerStreamingServer[cutlinev1.WatchDesignsResponse],
) error {
	s.asked = append(s.asked, request.GetResumeToken())
	return play(stream, &s.all, s.ended)
}

func play[M any](stream grpc.ServerStreamingServer[M], scripts *[]script[M], ended chan struct{}) error {
	if len(*scripts) == 0 {
		return status.Error(codes.FailedPrecondition, "asked again")
	}
	next := (*scripts)[0]
	*scripts = (*scripts)[1:]
	for _, message := range next.messages {
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	if ended != nil {
		<-stream.Context().Done()
		close(ended)
	}
	return next.end
}

func (s *scriptedStatus) client(t *testing.T) *Client {
	t.Helper()
	return serve(t, func(server *grpc.Server) { cutlinev1.RegisterStatusServiceServer(server, s) }, Settings{})
}
