package cutline

import (
	"cmp"
	"context"
	"fmt"
	"net"
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
// and CUTLINE_CLIENT_KEY_FILE. Where CUTLINE_TLS is not set, TLS is on if any target is not this machine or a file for TLS
// is named: no key crosses a network in plaintext by accident. Its error names every variable missing.
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
	switch word := os.Getenv("CUTLINE_TLS"); strings.ToLower(word) {
	case "1", "true", "yes", "on":
		settings.TLS = true
	case "0", "false", "no", "off":
	case "":
		files := settings.CAFile + settings.ClientCertFile + settings.ClientKeyFile
		settings.TLS = files != "" || !onThisMachine(settings.IngestTarget) || !onThisMachine(settings.StatusTarget)
	default:
		return Settings{}, fmt.Errorf("CUTLINE_TLS is %q, neither on nor off", word)
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

// onThisMachine reports whether a gRPC target can only be this machine: loopback addresses, localhost or a Unix socket.
func onThisMachine(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	rest := target[strings.LastIndex(target, "/")+1:]
	for _, scheme := range []string{"dns:", "ipv4:", "ipv6:"} {
		rest = strings.TrimPrefix(rest, scheme)
	}
	for _, address := range strings.Split(rest, ",") {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = strings.Trim(address, "[]")
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
