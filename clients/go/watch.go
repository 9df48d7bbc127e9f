package cutline

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

const patience = 5 * time.Minute

// WatchOptions refine a watch; the zero value, or nil in its place, is fine.
type WatchOptions struct {
	// AfterRevision makes Watch give only revisions above it; 0 gives the design as it is first.
	AfterRevision int64
	// ResumeToken makes WatchAll go on behind the message that carried it; empty starts with the unfinished designs.
	ResumeToken string
	// Patience is how long a service that cannot be reached is asked again before the watch ends; 0 means five minutes.
	Patience time.Duration
	// OnResume hears each time the watch asks again, and what ended the last stream: nil where that was no fault.
	OnResume func(error)
}

// Terminal tells whether a design has ended: READY, FAILED or CANCELLED.
func Terminal(design *cutlinev1.Design) bool {
	switch design.GetState() {
	case cutlinev1.Design_STATE_READY, cutlinev1.Design_STATE_FAILED, cutlinev1.Design_STATE_CANCELLED:
		return true
	default:
		return false
	}
}

// Watch gives each newer revision of a design, the terminal one last. It goes on by itself behind the last revision it
// gave when the connection breaks or the service asks to come back. Leaving the loop ends the watch.
//
// An error is the last thing it gives: *DesignDeletedError, the cause of the context's end, or the status with which the
// service refused the watch or could not be reached for options.Patience.
func (c *Client) Watch(
	ctx context.Context, designID string, options *WatchOptions,
) iter.Seq2[*cutlinev1.Design, error] {
	return func(yield func(*cutlinev1.Design, error) bool) {
		chosen := orDefault(options)
		seen := chosen.AfterRevision
		open := func(ctx context.Context) (grpc.ServerStreamingClient[cutlinev1.WatchDesignResponse], error) {
			request := &cutlinev1.WatchDesignRequest{DesignId: designID, AfterRevision: seen}
			return c.Status.WatchDesign(ctx, request)
		}
		for message, err := range resuming(ctx, open, chosen) {
			if err != nil {
				yield(nil, err)
				return
			}
			if message.GetDeleted() != nil {
				yield(nil, &DesignDeletedError{designID})
				return
			}
			design := message.GetDesign()
			if design == nil || design.GetRevision() <= seen && !Terminal(design) {
				continue
			}
			seen = design.GetRevision()
			if !yield(design, nil) || Terminal(design) {
				return
			}
		}
	}
}

// WatchAll gives every change of every design of the tenant, for ever: each message holds a design or one deleted, and the
// token to go on by for a caller who keeps it. It resumes by itself, as Watch does, and its errors are those of Watch;
// OutOfRange with RESUME_TOKEN_INVALID asks to start anew without a token.
func (c *Client) WatchAll(
	ctx context.Context, options *WatchOptions,
) iter.Seq2[*cutlinev1.WatchDesignsResponse, error] {
	return func(yield func(*cutlinev1.WatchDesignsResponse, error) bool) {
		chosen := orDefault(options)
		token := chosen.ResumeToken
		seen := map[string]int64{}
		open := func(ctx context.Context) (grpc.ServerStreamingClient[cutlinev1.WatchDesignsResponse], error) {
			return c.Status.WatchDesigns(ctx, &cutlinev1.WatchDesignsRequest{ResumeToken: token})
		}
		for message, err := range resuming(ctx, open, chosen) {
			if err != nil {
				yield(nil, err)
				return
			}
			if message.GetResumeToken() != "" {
				token = message.GetResumeToken()
			}
			design := message.GetDesign()
			switch {
			case message.GetDeleted() != nil:
				delete(seen, message.GetDeleted().GetDesignId())
			case design != nil && design.GetRevision() > seen[design.GetId()]:
				seen[design.GetId()] = design.GetRevision()
			default:
				continue
			}
			if !yield(message, nil) {
				return
			}
		}
	}
}

// resuming gives the messages of one stream after the other; open says in its request what was seen last.
func resuming[M any](
	ctx context.Context, open func(context.Context) (grpc.ServerStreamingClient[M], error), options WatchOptions,
) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		pauses := backoff{}
		heard := time.Now()
		left := false
		take := func(message *M) bool {
			pauses.reset()
			left = !yield(message, nil)
			heard = time.Now()
			return !left
		}
		for {
			err := read(ctx, open, take)
			if left {
				return
			}
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			var problem Problem
			if err != nil {
				problem = Explain(err)
				if !problem.mayResume() || time.Since(heard) > options.Patience {
					yield(nil, err)
					return
				}
			}
			if err := pauses.pause(ctx, problem); err != nil {
				yield(nil, err)
				return
			}
			if options.OnResume != nil {
				options.OnResume(err)
			}
		}
	}
}

// read hands on the messages of one stream until it ends or take has enough; nil where it ended well.
func read[M any](
	ctx context.Context, open func(context.Context) (grpc.ServerStreamingClient[M], error), take func(*M) bool,
) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	stream, err := open(ctx)
	if err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !take(message) {
			return nil
		}
	}
}

func orDefault(options *WatchOptions) WatchOptions {
	var chosen WatchOptions
	if options != nil {
		chosen = *options
	}
	if chosen.Patience == 0 {
		chosen.Patience = patience
	}
	return chosen
}
