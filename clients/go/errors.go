package cutline

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// FieldViolation is one field at fault.
type FieldViolation struct {
	Field, Description, Reason string
}

// Problem is what a failed call says about itself.
type Problem struct {
	// Code is the gRPC code.
	Code codes.Code
	// Message is one plain sentence.
	Message string
	// Reason is stable, such as DESIGN_NOT_FOUND; empty where the service itself did not answer.
	Reason string
	// Metadata holds facts named in the message, and request_id and trace_id for the service's logs.
	Metadata map[string]string
	// Violations are the fields at fault.
	Violations []FieldViolation
	// RetryAfter is when to try again, where the service said so.
	RetryAfter time.Duration
}

// DesignDeletedError says that the design was deleted while it was watched.
type DesignDeletedError struct {
	DesignID string
}

func (e *DesignDeletedError) Error() string {
	return fmt.Sprintf("design %s was deleted", e.DesignID)
}

// Explain reads any error of a call; one that is no gRPC error has the code Unknown.
func Explain(err error) Problem {
	failure := status.Convert(err)
	problem := Problem{Code: failure.Code(), Message: failure.Message()}
	for _, detail := range failure.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			problem.Reason, problem.Metadata = detail.GetReason(), detail.GetMetadata()
		case *errdetails.RetryInfo:
			problem.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, at := range detail.GetFieldViolations() {
				violation := FieldViolation{at.GetField(), at.GetDescription(), at.GetReason()}
				problem.Violations = append(problem.Violations, violation)
			}
		}
	}
	return problem
}

// Reason is the stable reason of an error, such as DESIGN_NOT_FOUND; empty where the service itself did not answer.
func Reason(err error) string {
	return Explain(err).Reason
}

// mayPass tells whether another try can help: the service is unavailable, or full and says when to come back.
func (p Problem) mayPass() bool {
	return p.Code == codes.Unavailable || p.Code == codes.ResourceExhausted && p.RetryAfter > 0
}

// mayResume tells whether a stream that ended so can be watched on: what may pass, a reader who was too slow, and
// connections that break midway, for which proxies have several codes and never a reason of the service.
func (p Problem) mayResume() bool {
	switch p.Code {
	case codes.Aborted, codes.Canceled, codes.Internal, codes.Unknown:
		return p.Reason == ""
	default:
		return p.Reason == "SLOW_READER" || p.mayPass()
	}
}
