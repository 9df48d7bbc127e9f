// Package cutline is the client of Cutline for Go: the services as they are in the .proto files, and what makes them
// pleasant to use.
//
//	settings, err := cutline.SettingsFromEnv()
//	client, err := cutline.New(settings)
//	upload, err := client.Upload(ctx, "fox.png", "")
//	accepted, err := client.Ingest.SubmitDesign(ctx, &cutlinev1.SubmitDesignRequest{UploadId: upload.GetId()})
//	for design, err := range client.Watch(ctx, accepted.GetDesign().GetId(), nil) {
//		...
//	}
package cutline
