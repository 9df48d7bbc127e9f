package cutline

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cutlinev1 "cutline.example/cutline/gen/cutline/v1"
)

type stored struct {
	code int
	body string
}

// download fetches a design's cut line and one mockup from a store that gives the answers in turn.
func download(t *testing.T, answers ...stored) (paths []string, folder string, err error) {
	t.Helper()
	store := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		answer := answers[0]
		answers = answers[1:]
		writer.WriteHeader(answer.code)
		_, _ = writer.Write([]byte(answer.body))
	}))
	defer store.Close()
	size, sha := int64(len("<svg/>")), digest([]byte("<svg/>"))
	design := &cutlinev1.Design{
		Artifacts: []*cutlinev1.Artifact{{
			Kind: cutlinev1.OutputFormat_OUTPUT_FORMAT_CUT_LINE_SVG, Url: store.URL, SizeBytes: size, Sha256: sha,
		}},
		Mockups: []*cutlinev1.Mockup{{
			Scene: "laptop", MediaType: "image/jpeg", Url: store.URL, SizeBytes: size, Sha256: sha,
		}},
	}
	folder = t.TempDir()
	client, err := New(Settings{IngestTarget: "127.0.0.1:1", StatusTarget: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	paths, err = client.Download(context.Background(), design, folder)
	if len(answers) > 0 {
		t.Errorf("%d answers were not asked for", len(answers))
	}
	return paths, folder, err
}

func TestFilesAreFetchedAgainWhereTheStoreDidNotAnswerWell(t *testing.T) {
	paths, folder, err := download(t, stored{503, ""}, stored{200, "<svg/>"}, stored{200, "<svg/>"})

	want := []string{filepath.Join(folder, "cutline.svg"), filepath.Join(folder, "mockup-laptop.jpg")}
	if err != nil || !slices.Equal(paths, want) {
		t.Fatalf("got %v, %v", paths, err)
	}
	if data, err := os.ReadFile(paths[0]); err != nil || string(data) != "<svg/>" {
		t.Errorf("read %q, %v", data, err)
	}
}

func TestBytesThatTheDesignDoesNotNameAreNotKept(t *testing.T) {
	_, folder, err := download(t, stored{200, "<sgv/>"})

	left, _ := os.ReadDir(folder)
	if err == nil || !strings.Contains(err.Error(), "cutline.svg: the bytes are not those") || len(left) > 0 {
		t.Errorf("got %v and %v", err, left)
	}
}

func TestAnAddressThatIsNotValidAnyMoreIsNotAskedAgain(t *testing.T) {
	_, _, err := download(t, stored{403, ""})

	if err == nil || err.Error() != "cutline.svg: the object store answered HTTP 403" {
		t.Errorf("got %v", err)
	}
}
