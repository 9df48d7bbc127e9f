package cutline

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// backoff makes the pauses between tries: exponential with full jitter, never shorter than the service asks for.
type backoff struct {
	ceiling time.Duration
}

// pause waits before the next try; its error is that of the context.
func (b *backoff) pause(ctx context.Context, problem Problem) error {
	b.ceiling = max(b.ceiling, firstPause)
	timer := time.NewTimer(problem.RetryAfter + rand.N(b.ceiling))
	defer timer.Stop()
	b.ceiling = min(2*b.ceiling, longestPause)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reset begins anew after a success.
func (b *backoff) reset() {
	b.ceiling = 0
}
