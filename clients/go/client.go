package cutline

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

const (
	callTimeout     = 30 * time.Second
	transferTimeout = 60 * time.Second
	maxRetries      = 4
)

// Client holds the services, each with every method of its .proto. It is safe for concurrent use.
//
// Each try of a call takes 30 s at most. A call is repeated while the service is unavailable or full, always with the same
// request id, which is made where the caller gave none: nothing is done twice. Streams have no deadline.
type Client struct {
	Ingest cutlinev1.IngestServiceClient
	Status cutlinev1.StatusServiceClient
	// Queue is for operators: keys of the scope admin.
	Queue cutlinev1.QueueServiceClient

	http        *http.Client
	connections []*grpc.ClientConn
}

// New makes a client; nothing is connected before the first call. More dial options go behind the client's own.
func New(settings Settings, more ...grpc.DialOption) (*Client, error) {
	options, err := dialOptions(settings)
	if err != nil {
		return nil, err
	}
	options = append(options, more...)
	ingest, err := grpc.NewClient(settings.IngestTarget, options...)
	if err != nil {
		return nil, fmt.Errorf("ingest target %q: %w", settings.IngestTarget, err)
	}
	status, err := grpc.NewClient(settings.StatusTarget, options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("status target %q: %w", settings.StatusTarget, err), ingest.Close())
	}
	return &Client{
		Ingest:      cutlinev1.NewIngestServiceClient(ingest),
		Status:      cutlinev1.NewStatusServiceClient(status),
		Queue:       cutlinev1.NewQueueServiceClient(ingest),
		http:        &http.Client{Timeout: transferTimeout},
		connections: []*grpc.ClientConn{ingest, status},
	}, nil
}

// Close ends the connections and all that runs on them.
func (c *Client) Close() error {
	var failures []error
	for _, connection := range c.connections {
		failures = append(failures, connection.Close())
	}
	return errors.Join(failures...)
}

func dialOptions(settings Settings) ([]grpc.DialOption, error) {
	transport := insecure.NewCredentials()
	if settings.TLS {
		config, err := tlsConfig(settings)
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(config)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(bearer{settings}),
		grpc.WithChainUnaryInterceptor(withRequestID, retrying),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		// The services allow pings every 10 s; a silent connection is noticed after 40 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// Left alone, a connection that failed for long is not tried again for two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.5, MaxDelay: longestPause},
			MinConnectTimeout: longestPause,
		}),
	}, nil
}

func tlsConfig(settings Settings) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if settings.CAFile != "" {
		pem, err := os.ReadFile(settings.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it", settings.CAFile)
		}
	}
	if settings.ClientCertFile != "" {
		certificate, err := tls.LoadX509KeyPair(settings.ClientCertFile, settings.ClientKeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// bearer sends the credential with every call.
type bearer struct {
	settings Settings
}

func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token := b.settings.APIKey
	if b.settings.Token != nil {
		var err error
		if token, err = b.settings.Token(ctx); err != nil {
			return nil, err
		}
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity is as the settings say: on one machine or behind a mesh the key travels without TLS of our own.
func (b bearer) RequireTransportSecurity() bool {
	return b.settings.TLS
}

// withRequestID gives every call that changes something an id, so that a repeated call is known for what it is. The
// caller's message stays as it is: sent once more it is another call.
func withRequestID(
	ctx context.Context, method string, request, reply any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if message, ok := request.(proto.Message); ok {
		field := message.ProtoReflect().Descriptor().Fields().ByName("request_id")
		if field != nil && !message.ProtoReflect().Has(field) {
			message = proto.Clone(message)
			message.ProtoReflect().Set(field, protoreflect.ValueOfString(newUUID()))
			request = message
		}
	}
	return invoke(ctx, method, request, reply, connection, options...)
}

func retrying(
	ctx context.Context, method string, request, reply any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	pauses := backoff{}
	for triesLeft := maxRetries; ; triesLeft-- {
		try, end := context.WithTimeout(ctx, callTimeout)
		err := invoke(try, method, request, reply, connection, options...)
		end()
		if err == nil || triesLeft == 0 {
			return err
		}
		problem := Explain(err)
		if !problem.mayPass() || pauses.pause(ctx, problem) != nil {
			return err
		}
	}
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
