package cutline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

const transferTries = 3

var mediaTypes = map[string]string{
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".jpeg": "image/jpeg",
	".webp": "image/webp",
	".tif":  "image/tiff",
	".tiff": "image/tiff",
	".gif":  "image/gif",
	".avif": "image/avif",
	".svg":  "image/svg+xml",
}

var fileNames = map[cutlinev1.OutputFormat]string{
	cutlinev1.OutputFormat_OUTPUT_FORMAT_CUTOUT_PNG:   "cutout.png",
	cutlinev1.OutputFormat_OUTPUT_FORMAT_CUT_LINE_SVG: "cutline.svg",
	cutlinev1.OutputFormat_OUTPUT_FORMAT_CUT_LINE_DXF: "cutline.dxf",
	cutlinev1.OutputFormat_OUTPUT_FORMAT_PRINT_PDF:    "print.pdf",
	cutlinev1.OutputFormat_OUTPUT_FORMAT_PREVIEW_PNG:  "preview.png",
	cutlinev1.OutputFormat_OUTPUT_FORMAT_REPORT_JSON:  "report.json",
}

var mockupExtensions = map[string]string{"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}

// RemoteFile is a file of a design: what to call it, where it is and what it must be.
type RemoteFile struct {
	Name, URL string
	SizeBytes int64
	SHA256    string
}

// Upload reserves an upload for a file and puts its bytes; the answer's id goes into SubmitDesign. An empty mediaType is
// told by the file's extension.
func (c *Client) Upload(ctx context.Context, path, mediaType string) (*cutlinev1.Upload, error) {
	artwork, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = mediaTypes[strings.ToLower(filepath.Ext(path))]
	}
	upload, err := c.Ingest.CreateUpload(ctx, &cutlinev1.CreateUploadRequest{
		Filename:  filepath.Base(path),
		MediaType: mediaType,
		SizeBytes: int64(len(artwork)),
		Sha256:    digest(artwork),
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.transfer(ctx, http.MethodPut, upload.GetUrl(), upload.GetHeaders(), artwork); err != nil {
		return nil, fmt.Errorf("upload of %s: %w", path, err)
	}
	return upload, nil
}

// Files lists every artifact and mockup of a design that was read with addresses: by GetDesign, or at the end of a watch.
func Files(design *cutlinev1.Design) []RemoteFile {
	var files []RemoteFile
	for _, artifact := range design.GetArtifacts() {
		name, known := fileNames[artifact.GetKind()]
		if !known {
			name = fmt.Sprintf("format-%d.bin", artifact.GetKind())
		}
		files = append(files, RemoteFile{name, artifact.GetUrl(), artifact.GetSizeBytes(), artifact.GetSha256()})
	}
	for _, mockup := range design.GetMockups() {
		extension, known := mockupExtensions[mockup.GetMediaType()]
		if !known {
			extension = "bin"
		}
		name := fmt.Sprintf("mockup-%s.%s", mockup.GetScene(), extension)
		files = append(files, RemoteFile{name, mockup.GetUrl(), mockup.GetSizeBytes(), mockup.GetSha256()})
	}
	return files
}

// Download fetches every file of a design into a folder, which is made where it does not exist, and compares each with
// what the design promises. A file appears under its name only when it is whole. It returns the paths in the order of
// Files.
func (c *Client) Download(ctx context.Context, design *cutlinev1.Design, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, file := range Files(design) {
		data, err := c.transfer(ctx, http.MethodGet, file.URL, nil, nil)
		if err != nil {
			return paths, fmt.Errorf("%s: %w", file.Name, err)
		}
		if int64(len(data)) != file.SizeBytes || digest(data) != file.SHA256 {
			return paths, fmt.Errorf("%s: the bytes are not those the design names", file.Name)
		}
		path := filepath.Join(folder, filepath.Base(file.Name))
		if err := os.WriteFile(path+".part", data, 0o644); err != nil {
			return paths, err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// transfer asks the object store, again where it does not answer well.
func (c *Client) transfer(
	ctx context.Context, method, url string, headers map[string]string, body []byte,
) ([]byte, error) {
	pauses := backoff{}
	for triesLeft := transferTries - 1; ; triesLeft-- {
		data, again, err := c.transferOnce(ctx, method, url, headers, body)
		if err == nil || !again || triesLeft == 0 || pauses.pause(ctx, Problem{}) != nil {
			return data, err
		}
	}
}

func (c *Client) transferOnce(
	ctx context.Context, method, url string, headers map[string]string, body []byte,
) (data []byte, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, true, err
	}
	defer answer.Body.Close()
	data, err = io.ReadAll(answer.Body)
	if err != nil {
		return nil, true, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, answer.StatusCode >= 500, fmt.Errorf("the object store answered HTTP %d", answer.StatusCode)
	}
	return data, false, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
