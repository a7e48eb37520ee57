// A client that measures as Argo Rollouts does, with Argo's own code: one JSON command a line in, one JSON answer a line out.
//
//	{"do": "measure", "template": "…", "args": […], "rollout": "…", "stable": "…", "latest": "…"}   measures every metric of a template
//	{"do": "read", "metric": "…", "status": 200, "body": "…"}                                       lets the web provider read this answer
//	{"do": "resolve", …}                                                                            the same without asking: metrics with args filled in
//	{"do": "evaluate", "metric": "…", "result": ["0.5", "NaN"]}                                     the conditions on a vector, as Prometheus answers one
//	{"do": "json", "yaml": "…"}                                                                     YAML as Kubernetes reads it
//
// And a whole AnalysisRun, in the hands of Argo's controller, on a clock that jumps:
//
//	{"do": "begin", as "measure", "at": 1.7e9, "refused": 0}   the run begins at that time (unix seconds)
//	{"do": "until", "seconds": 600}                            time goes by until then, or without seconds until the run has ended
//	{"do": "terminate"}                                        the rollout is through with its steps
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	log "github.com/sirupsen/logrus"
)

// A command carries what all of them may need; each reads its part.
type command struct {
	Do       string          `json:"do"`
	Template string          `json:"template"`
	Args     json.RawMessage `json:"args"`
	Rollout  string          `json:"rollout"`
	Stable   string          `json:"stable"`
	Latest   string          `json:"latest"`
	Metric   string          `json:"metric"`
	Status   int             `json:"status"`
	Body     string          `json:"body"`
	YAML     string          `json:"yaml"`
	Result   []string        `json:"result"`
	Patience int             `json:"patience"` // seconds; what Argo gives Kayenta is fixed at 15
	At       float64         `json:"at"`
	Seconds  float64         `json:"seconds"`
	Refused  int             `json:"refused"` // changes that the API server does not take
}

func main() {
	log.SetOutput(io.Discard)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		written, err := json.Marshal(obey(line))
		if err != nil {
			written = []byte(fmt.Sprintf(`{"error": %q}`, err.Error()))
		}
		out.Write(written)
		out.WriteByte('\n')
		out.Flush()
	}
}

func obey(line []byte) any {
	var asked command
	if err := json.Unmarshal(line, &asked); err != nil {
		return failed(err)
	}
	var found any
	var err error
	switch asked.Do {
	case "measure":
		found, err = measure(asked)
	case "resolve":
		_, found, err = resolve(asked)
	case "read":
		found, err = read(asked)
	case "evaluate":
		found, err = evaluated(asked)
	case "begin":
		found, err = begin(asked)
	case "until":
		found, err = until(asked)
	case "terminate":
		found, err = terminate(asked)
	case "json":
		found, err = document(asked.YAML)
	default:
		err = fmt.Errorf("unknown command %q", asked.Do)
	}
	if err != nil {
		return failed(err)
	}
	return found
}

func failed(err error) map[string]string {
	return map[string]string{"error": err.Error()}
}
