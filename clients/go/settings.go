package cutline

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
)

// Settings say where the services are, who calls, and how the connection is kept private.
type Settings struct {
	// IngestTarget and StatusTarget are gRPC targets, such as 127.0.0.1:7001 or dns:///ingest.example:443.
	IngestTarget, StatusTarget string
	// APIKey, or any other bearer token, goes with every call.
	APIKey string
	// Token, where it is set, is asked for a token before every call in place of APIKey.
	Token func(context.Context) (string, error)
	// TLS asks for TLS, with the system's authorities unless CAFile names a PEM file of others.
	TLS    bool
	CAFile string
	// ClientCertFile and ClientKeyFile are PEM files of a client certificate and its key, for mutual TLS.
	ClientCertFile, ClientKeyFile string
}

// SettingsFromEnv reads the variables that every Cutline client knows: CUTLINE_INGEST_TARGET and CUTLINE_STATUS_TARGET
// (or CUTLINE_TARGET for both), CUTLINE_API_KEY or CUTLINE_TOKEN, CUTLINE_TLS, CUTLINE_CA_FILE, CUTLINE_CLIENT_CERT_FILE
// and CUTLINE_CLIENT_KEY_FILE. Its error names every variable missing.
func SettingsFromEnv() (Settings, error) {
	both := os.Getenv("CUTLINE_TARGET")
	settings := Settings{
		IngestTarget:   cmp.Or(os.Getenv("CUTLINE_INGEST_TARGET"), both),
		StatusTarget:   cmp.Or(os.Getenv("CUTLINE_STATUS_TARGET"), both),
		APIKey:         cmp.Or(os.Getenv("CUTLINE_TOKEN"), os.Getenv("CUTLINE_API_KEY")),
		CAFile:         os.Getenv("CUTLINE_CA_FILE"),
		ClientCertFile: os.Getenv("CUTLINE_CLIENT_CERT_FILE"),
		ClientKeyFile:  os.Getenv("CUTLINE_CLIENT_KEY_FILE"),
	}
	switch strings.ToLower(os.Getenv("CUTLINE_TLS")) {
	case "1", "true", "yes", "on":
		settings.TLS = true
	}
	var missing []string
	for _, needed := range []struct{ name, value string }{
		{"CUTLINE_INGEST_TARGET", settings.IngestTarget},
		{"CUTLINE_STATUS_TARGET", settings.StatusTarget},
		{"CUTLINE_API_KEY", settings.APIKey},
	} {
		if needed.value == "" {
			missing = append(missing, needed.name)
		}
	}
	if len(missing) > 0 {
		return Settings{}, fmt.Errorf("not set: %s", strings.Join(missing, ", "))
	}
	return settings, nil
}
