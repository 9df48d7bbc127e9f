// Command submit-and-watch uploads an artwork, asks for a sticker, watches it being made and fetches its files.
//
//	submit-and-watch fox.png out/fox [width in mm]
//
// It reads CUTLINE_INGEST_TARGET, CUTLINE_STATUS_TARGET and CUTLINE_API_KEY.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"cutline.example/cutline"
	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: submit-and-watch ARTWORK FOLDER [WIDTH_MM]")
		os.Exit(2)
	}
	widthMM := 60.0
	if len(os.Args) > 3 {
		var err error
		if widthMM, err = strconv.ParseFloat(os.Args[3], 64); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], widthMM); err != nil {
		problem := cutline.Explain(err)
		fmt.Fprintf(os.Stderr, "%s: %s\n", cmp.Or(problem.Reason, "error"), problem.Message)
		for _, violation := range problem.Violations {
			fmt.Fprintf(os.Stderr, "  %s: %s\n", violation.Field, violation.Description)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, artwork, folder string, widthMM float64) error {
	settings, err := cutline.SettingsFromEnv()
	if err != nil {
		return err
	}
	client, err := cutline.New(settings)
	if err != nil {
		return err
	}
	defer client.Close()

	upload, err := client.Upload(ctx, artwork, "")
	if err != nil {
		return err
	}
	accepted, err := client.Ingest.SubmitDesign(ctx, &cutlinev1.SubmitDesignRequest{
		UploadId: upload.GetId(),
		Spec:     &cutlinev1.StickerSpec{WidthMm: &widthMM},
		Title:    "From Go",
	})
	if err != nil {
		return err
	}
	last := accepted.GetDesign()
	fmt.Println("accepted", last.GetId())

	onResume := func(err error) { fmt.Fprintln(os.Stderr, "watching again", cutline.Explain(err).Message) }
	for design, err := range client.Watch(ctx, last.GetId(), &cutline.WatchOptions{OnResume: onResume}) {
		if err != nil {
			return err
		}
		state := strings.TrimPrefix(design.GetState().String(), "STATE_")
		fmt.Printf("revision %d %s %.0f %%\n", design.GetRevision(), state, 100*design.GetProgress())
		last = design
	}
	if last.GetState() != cutlinev1.Design_STATE_READY {
		return fmt.Errorf("not made: %s %s", last.GetFailure().GetReason(), last.GetFailure().GetMessage())
	}
	paths, err := client.Download(ctx, last, folder)
	for _, path := range paths {
		fmt.Println("file", path)
	}
	return err
}
