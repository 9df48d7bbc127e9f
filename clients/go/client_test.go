package cutline

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

// fullIngest refuses the first submits with what it is given, then accepts.
type fullIngest struct {
	cutlinev1.UnimplementedIngestServiceServer
	refusals    []error
	requestIDs  []string
	credentials []string
}

func (s *fullIngest) SubmitDesign(
	ctx context.Context, request *cutlinev1.SubmitDesignRequest,
) (*cutlinev1.SubmitDesignResponse, error) {
	incoming, _ := metadata.FromIncomingContext(ctx)
	s.requestIDs = append(s.requestIDs, request.GetRequestId())
	s.credentials = append(s.credentials, incoming.Get("authorization")...)
	if len(s.refusals) > 0 {
		refused := s.refusals[0]
		s.refusals = s.refusals[1:]
		return nil, refused
	}
	return &cutlinev1.SubmitDesignResponse{Design: &cutlinev1.Design{Id: "a"}}, nil
}

func (s *fullIngest) client(t *testing.T, settings Settings) *Client {
	t.Helper()
	return serve(t, func(server *grpc.Server) { cutlinev1.RegisterIngestServiceServer(server, s) }, settings)
}

func TestAFullServiceIsAskedAgainWithTheSameRequestID(t *testing.T) {
	full := refusal(t, codes.ResourceExhausted, "BACKLOG_FULL", soon)
	server := &fullIngest{refusals: []error{full, full}}
	tokens := 0
	client := server.client(t, Settings{Token: func(context.Context) (string, error) {
		tokens++
		return fmt.Sprint("token-", tokens), nil
	}})
	request := &cutlinev1.SubmitDesignRequest{UploadId: "u"}

	answer, err := client.Ingest.SubmitDesign(context.Background(), request)

	if err != nil || answer.GetDesign().GetId() != "a" {
		t.Fatalf("got %v, %v", answer, err)
	}
	if ids := slices.Compact(slices.Clone(server.requestIDs)); len(server.requestIDs) != 3 || len(ids) != 1 ||
		!regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(ids[0]) {
		t.Errorf("request ids %v", server.requestIDs)
	}
	if !slices.Equal(server.credentials, []string{"Bearer token-1", "Bearer token-2", "Bearer token-3"}) {
		t.Errorf("credentials %v", server.credentials)
	}
	if request.GetRequestId() != "" {
		t.Errorf("the caller's request was changed: sent again it would get the first answer")
	}
}

func TestARefusedCallSaysWhyAndIsNotRepeated(t *testing.T) {
	at := &errdetails.BadRequest_FieldViolation{Field: "spec.width_mm", Description: "3 is not 5 to 1000 mm", Reason: "RANGE"}
	bad := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{at}}
	server := &fullIngest{refusals: []error{refusal(t, codes.InvalidArgument, "INVALID_ARGUMENT", bad)}}

	_, err := server.client(t, Settings{APIKey: "key"}).Ingest.SubmitDesign(
		context.Background(), &cutlinev1.SubmitDesignRequest{},
	)

	want := Problem{
		Code:       codes.InvalidArgument,
		Message:    "No.",
		Reason:     "INVALID_ARGUMENT",
		Metadata:   map[string]string{"trace_id": "4bf9"},
		Violations: []FieldViolation{{"spec.width_mm", "3 is not 5 to 1000 mm", "RANGE"}},
	}
	if problem := Explain(err); !reflect.DeepEqual(problem, want) || len(server.requestIDs) != 1 {
		t.Errorf("got %+v after %d calls", problem, len(server.requestIDs))
	}
}

func TestSettingsNameEveryVariableMissing(t *testing.T) {
	for _, name := range []string{"CUTLINE_TARGET", "CUTLINE_STATUS_TARGET", "CUTLINE_API_KEY", "CUTLINE_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("CUTLINE_INGEST_TARGET", "a:1")

	_, err := SettingsFromEnv()

	if err == nil || err.Error() != "not set: CUTLINE_STATUS_TARGET, CUTLINE_API_KEY" {
		t.Errorf("got %v", err)
	}
}

func TestATokenGoesBeforeAKeyAndOneTargetServesBoth(t *testing.T) {
	for name, value := range map[string]string{
		"CUTLINE_INGEST_TARGET": "", "CUTLINE_STATUS_TARGET": "b:2", "CUTLINE_TARGET": "a:1", "CUTLINE_TLS": "on",
		"CUTLINE_API_KEY": "key", "CUTLINE_TOKEN": "token",
	} {
		t.Setenv(name, value)
	}

	settings, err := SettingsFromEnv()

	want := Settings{IngestTarget: "a:1", StatusTarget: "b:2", APIKey: "token", TLS: true}
	if err != nil || !reflect.DeepEqual(settings, want) {
		t.Errorf("got %+v, %v", settings, err)
	}
}

func TestPlaintextGoesToAnotherMachineOnlyWhereThatIsSaid(t *testing.T) {
	for _, at := range []struct {
		target, word, file string
		tls                bool
	}{
		{"127.0.0.1:1", "", "", false},
		{"localhost:1", "", "", false},
		{"dns:///[::1]:1", "", "", false},
		{"unix:/run/cutline", "", "", false},
		{"ipv4:127.0.0.1:1,10.0.0.1:1", "", "", true},
		{"dns:///cutline.example:443", "", "", true},
		{"localhost.example", "", "", true},
		{"127.0.0.1:1", "", "ca.pem", true},
		{"127.0.0.1:1", "on", "", true},
		{"cutline.example:443", "off", "", false},
	} {
		for name, value := range map[string]string{
			"CUTLINE_INGEST_TARGET": "127.0.0.1:1", "CUTLINE_STATUS_TARGET": at.target, "CUTLINE_API_KEY": "key",
			"CUTLINE_TLS": at.word, "CUTLINE_CA_FILE": at.file,
		} {
			t.Setenv(name, value)
		}
		if settings, err := SettingsFromEnv(); err != nil || settings.TLS != at.tls {
			t.Errorf("%+v: got %v, %v", at, settings.TLS, err)
		}
	}
	t.Setenv("CUTLINE_TLS", "maybe")
	if _, err := SettingsFromEnv(); err == nil || err.Error() != `CUTLINE_TLS is "maybe", neither on nor off` {
		t.Errorf("got %v", err)
	}
}
