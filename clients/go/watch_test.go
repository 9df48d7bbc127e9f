package cutline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

type (
	one  = cutlinev1.WatchDesignResponse
	many = cutlinev1.WatchDesignsResponse
)

func at(revision int64, state cutlinev1.Design_State) *cutlinev1.Design {
	return &cutlinev1.Design{Id: "a", Revision: revision, State: state}
}

func working(revision int64) *one {
	return &one{Event: &cutlinev1.WatchDesignResponse_Design{Design: at(revision, cutlinev1.Design_STATE_PROCESSING)}}
}

func ready() *one {
	return &one{Event: &cutlinev1.WatchDesignResponse_Design{Design: at(9, cutlinev1.Design_STATE_READY)}}
}

func heartbeat() *one {
	return &one{Event: &cutlinev1.WatchDesignResponse_Heartbeat{Heartbeat: &cutlinev1.Heartbeat{}}}
}

func reconnect(after int64) *one {
	return &one{Event: &cutlinev1.WatchDesignResponse_Reconnect{Reconnect: &cutlinev1.Reconnect{AfterRevision: after}}}
}

// revisions watches to the end.
func revisions(client *Client, options *WatchOptions) (seen []int64, err error) {
	for design, err := range client.Watch(context.Background(), "a", options) {
		if err != nil {
			return seen, err
		}
		seen = append(seen, design.GetRevision())
	}
	return seen, nil
}

func TestWatchGoesOnBehindTheLastRevision(t *testing.T) {
	for name, first := range map[string]script[one]{
		"a server that shuts down": {end: refusal(t, codes.Unavailable, "SHUTTING_DOWN", soon)},
		"a reconnect message":      {messages: []*one{reconnect(3)}},
		"a stream without a word":  {},
		"a connection that breaks": {end: status.Error(codes.Canceled, "stream terminated by RST_STREAM")},
		"a reader found too slow":  {end: refusal(t, codes.ResourceExhausted, "SLOW_READER")},
		"too many streams":         {end: refusal(t, codes.ResourceExhausted, "STREAM_LIMIT", soon)},
	} {
		t.Run(name, func(t *testing.T) {
			first.messages = append([]*one{working(1), heartbeat(), working(3)}, first.messages...)
			second := script[one]{messages: []*one{working(3), ready()}}
			server := &scriptedStatus{one: []script[one]{first, second}}
			resumed := 0

			seen, err := revisions(server.client(t), &WatchOptions{OnResume: func(error) { resumed++ }})

			if err != nil || !slices.Equal(seen, []int64{1, 3, 9}) {
				t.Errorf("saw %v, %v", seen, err)
			}
			if !slices.Equal(server.asked, []any{int64(0), int64(3)}) || resumed != 1 {
				t.Errorf("asked behind %v, resumed %d times", server.asked, resumed)
			}
		})
	}
}

func TestWatchAtTheTerminalRevisionGivesItOnce(t *testing.T) {
	server := &scriptedStatus{one: []script[one]{{messages: []*one{ready()}}}}

	seen, err := revisions(server.client(t), &WatchOptions{AfterRevision: 9})

	if err != nil || !slices.Equal(seen, []int64{9}) || !slices.Equal(server.asked, []any{int64(9)}) {
		t.Errorf("saw %v, %v; asked behind %v", seen, err, server.asked)
	}
}

func TestWatchEndsWithARefusalAtOnce(t *testing.T) {
	server := &scriptedStatus{one: []script[one]{{end: refusal(t, codes.NotFound, "DESIGN_NOT_FOUND")}}}

	_, err := revisions(server.client(t), nil)

	if Reason(err) != "DESIGN_NOT_FOUND" || len(server.asked) != 1 {
		t.Errorf("got %v after %d calls", err, len(server.asked))
	}
}

func TestWatchTellsThatADesignIsDeleted(t *testing.T) {
	gone := &one{Event: &cutlinev1.WatchDesignResponse_Deleted{Deleted: &cutlinev1.DesignDeleted{DesignId: "a"}}}
	server := &scriptedStatus{one: []script[one]{{messages: []*one{working(1), gone}}}}

	_, err := revisions(server.client(t), nil)

	var deleted *DesignDeletedError
	if !errors.As(err, &deleted) || deleted.DesignID != "a" {
		t.Errorf("got %v", err)
	}
}

func TestWatchGivesUpWhenItsPatienceIsAtItsEnd(t *testing.T) {
	server := &scriptedStatus{one: []script[one]{{end: refusal(t, codes.Unavailable, "SHUTTING_DOWN")}}}

	_, err := revisions(server.client(t), &WatchOptions{Patience: -1})

	if Reason(err) != "SHUTTING_DOWN" || len(server.asked) != 1 {
		t.Errorf("got %v after %d calls", err, len(server.asked))
	}
}

func TestLeavingTheLoopEndsTheStreamAtTheServer(t *testing.T) {
	server := &scriptedStatus{one: []script[one]{{messages: []*one{working(1)}}}, ended: make(chan struct{})}

	for design, err := range server.client(t).Watch(context.Background(), "a", nil) {
		if err != nil || design.GetRevision() != 1 {
			t.Errorf("saw %v, %v", design, err)
		}
		break
	}

	<-server.ended
}

func TestTheEndOfTheContextEndsTheWatchWithItsCause(t *testing.T) {
	server := &scriptedStatus{one: []script[one]{{messages: []*one{working(1)}}}, ended: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	enough := errors.New("enough")
	var last error

	for _, err := range server.client(t).Watch(ctx, "a", nil) {
		last = err
		cancel(enough)
	}

	if !errors.Is(last, enough) {
		t.Errorf("ended with %v", last)
	}
	<-server.ended
}

func TestWatchAllResumesByItsTokenAndGivesNothingTwice(t *testing.T) {
	told := func(token string, design *cutlinev1.Design) *many {
		return &many{ResumeToken: token, Event: &cutlinev1.WatchDesignsResponse_Design{Design: design}}
	}
	first := at(1, cutlinev1.Design_STATE_PROCESSING)
	alive := &many{ResumeToken: "t2", Event: &cutlinev1.WatchDesignsResponse_Heartbeat{}}
	old := &many{Event: &cutlinev1.WatchDesignsResponse_Reconnect{Reconnect: &cutlinev1.Reconnect{}}}
	deleted := &cutlinev1.DesignDeleted{DesignId: "a"}
	gone := &many{ResumeToken: "t5", Event: &cutlinev1.WatchDesignsResponse_Deleted{Deleted: deleted}}
	server := &scriptedStatus{all: []script[many]{
		{messages: []*many{told("t1", first), alive}, end: refusal(t, codes.Unavailable, "SHUTTING_DOWN", soon)},
		{messages: []*many{told("t3", first), told("t4", at(9, cutlinev1.Design_STATE_READY)), old}},
		{messages: []*many{gone}},
	}}

	var seen []string
	for message, err := range server.client(t).WatchAll(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(message.GetDesign().GetRevision(), " ", message.GetResumeToken()))
		if message.GetDeleted() != nil {
			break
		}
	}

	if !slices.Equal(seen, []string{"1 t1", "9 t4", "0 t5"}) || !slices.Equal(server.asked, []any{"", "t2", "t4"}) {
		t.Errorf("saw %v, asked with %v", seen, server.asked)
	}
}
