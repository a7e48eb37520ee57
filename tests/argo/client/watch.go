package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubeinformers "k8s.io/client-go/informers"
	kubefake "k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/argoproj/argo-rollouts/analysis"
	"github.com/argoproj/argo-rollouts/controller/metrics"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/client/clientset/versioned/fake"
	informers "github.com/argoproj/argo-rollouts/pkg/client/informers/externalversions"
	"github.com/argoproj/argo-rollouts/utils/record"
	timeutil "github.com/argoproj/argo-rollouts/utils/time"
)

// No AnalysisRun of ours takes longer.
const longest = 48 * time.Hour

// A watch is one AnalysisRun in the hands of Argo's own controller, on a clock that jumps from one thing to do to the next. Argo's API
// server is a fake that keeps objects in memory; the questions are real.
type watch struct {
	lock    sync.Mutex // between Argo's worker and the one who asks how it stands
	line    *timeline
	begun   time.Time
	end     context.CancelFunc
	client  *fake.Clientset
	seen    cache.Indexer // what Argo's informer knows
	run     *v1alpha1.AnalysisRun
	taken   []taken
	asked   atomic.Int64
	refusal int // how many of the next changes the API server refuses
}

// One measurement, as it stood in the AnalysisRun when it was new: Argo keeps the last ten of each metric only.
type taken struct {
	At      float64                `json:"at"` // seconds since the run began
	Metric  string                 `json:"metric"`
	Phase   v1alpha1.AnalysisPhase `json:"phase"`
	Value   string                 `json:"value"`
	Message string                 `json:"message"`
}

type standing struct {
	At           float64                 `json:"at"`
	Phase        v1alpha1.AnalysisPhase  `json:"phase"`
	Message      string                  `json:"message"`
	Asked        int64                   `json:"asked"` // questions to the judge
	Metrics      []v1alpha1.MetricResult `json:"metrics"`
	Measurements []taken                 `json:"measurements"`
	DryRun       *v1alpha1.RunSummary    `json:"dryRun"`
}

var (
	watched   *watch
	transport = http.DefaultTransport
)

// begin makes the AnalysisRun of a template, and hands it to the controller at a time of the past.
func begin(asked command) (any, error) {
	run, err := analysisRun(asked)
	if err != nil {
		return nil, err
	}
	if watched != nil {
		watched.close()
	}
	watched = start(run, time.Unix(0, int64(asked.At*1e9)).UTC(), asked.Refused)
	return watched.standing(), nil
}

// until lets time go by: to so many seconds after the beginning, or where they are 0 until the run has ended.
func until(asked command) (any, error) {
	if watched == nil {
		return nil, errors.New("nothing has begun")
	}
	if asked.Seconds > 0 {
		watched.line.goOn(watched.begun.Add(time.Duration(asked.Seconds*1e9)), false)
	} else {
		watched.line.goOn(watched.begun.Add(longest), true)
	}
	return watched.standing(), nil
}

// terminate ends the run as a rollout does that is through with its steps.
func terminate(command) (any, error) {
	if watched == nil {
		return nil, errors.New("nothing has begun")
	}
	patch := []byte(`{"spec": {"terminate": true}}`)
	runs := watched.client.ArgoprojV1alpha1().AnalysisRuns(watched.run.Namespace)
	if _, err := runs.Patch(context.Background(), watched.run.Name, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		return nil, err
	}
	watched.settle()
	watched.line.goOn(watched.line.Now(), true)
	return watched.standing(), nil
}

func start(run *v1alpha1.AnalysisRun, now time.Time, refusal int) *watch {
	run.UID, run.CreationTimestamp = "1", metav1.NewTime(now)
	w := &watch{line: newTimeline(now), begun: now, client: fake.NewSimpleClientset(run), run: run, refusal: refusal}
	w.client.PrependReactor("patch", "analysisruns", w.refuse)
	w.line.settled = w.settle
	timeutil.SetNowTimeFunc(w.line.Now)
	http.DefaultTransport = roundTripper(w.ask)

	kube := kubefake.NewSimpleClientset()
	ofKube := kubeinformers.NewSharedInformerFactory(kube, 0)
	runs := informers.NewSharedInformerFactory(w.client, 0).Argoproj().V1alpha1().AnalysisRuns()
	w.seen = runs.Informer().GetIndexer()
	config := analysis.ControllerConfig{
		KubeClientSet:        kube,
		ArgoProjClientset:    w.client,
		AnalysisRunInformer:  runs,
		JobInformer:          ofKube.Batch().V1().Jobs(),
		AnalysisRunWorkQueue: w.line,
		MetricsServer:        metrics.NewMetricsServer(metrics.ServerConfig{K8SRequestProvider: &metrics.K8sRequestsCountProvider{}}),
		Recorder:             record.NewFakeEventRecorder(),
	}
	ofTheVersion(&config, ofKube)
	controller := analysis.NewController(config)
	w.settle()
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	go func() { _ = controller.Run(ctx, 1) }()
	return w
}

func (w *watch) close() {
	w.line.ShutDown()
	w.end()
	timeutil.SetNowTimeFunc(time.Now)
	http.DefaultTransport = transport
}

// settle does at once what an informer does soon: it takes over what the API server has, and has it reconciled where that is new.
func (w *watch) settle() {
	w.lock.Lock()
	defer w.lock.Unlock()
	run, err := w.client.ArgoprojV1alpha1().AnalysisRuns(w.run.Namespace).Get(context.Background(), w.run.Name, metav1.GetOptions{})
	if err != nil {
		return // deleted, as a run is after its time to live
	}
	known, there, _ := w.seen.Get(run)
	if there && equality.Semantic.DeepEqual(known, run) {
		return
	}
	for _, result := range run.Status.MetricResults {
		if total(result) > totalOf(w.run, result.Name) {
			last := result.Measurements[len(result.Measurements)-1]
			at := w.line.Now().Sub(w.begun).Round(time.Second).Seconds()
			w.taken = append(w.taken, taken{at, result.Name, last.Phase, last.Value, last.Message})
		}
	}
	w.run = run
	_ = w.seen.Add(run)
	key, _ := cache.MetaNamespaceKeyFunc(run)
	w.line.Add(key)
}

func total(result v1alpha1.MetricResult) int32 {
	return result.Successful + result.Failed + result.Inconclusive + result.Error
}

func totalOf(run *v1alpha1.AnalysisRun, metric string) int32 {
	for _, result := range run.Status.MetricResults {
		if result.Name == metric {
			return total(result)
		}
	}
	return 0
}

func (w *watch) standing() standing {
	w.lock.Lock()
	defer w.lock.Unlock()
	status := w.run.Status
	at := w.line.Now().Sub(w.begun).Round(time.Second).Seconds()
	return standing{at, status.Phase, status.Message, w.asked.Load(), status.MetricResults, w.taken, status.DryRunSummary}
}

// refuse is an API server that is busy: as often as told it takes no change.
func (w *watch) refuse(kubetesting.Action) (bool, runtime.Object, error) {
	if w.asked.Load() == 0 || w.refusal == 0 {
		return false, nil, nil
	}
	w.refusal--
	return true, nil, errors.New("the API server is busy")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// ask sends a question as it is, but for one thing: the judge has no clock that jumps, so "until now" is said in it.
func (w *watch) ask(request *http.Request) (*http.Response, error) {
	if request.Body == nil || !strings.HasSuffix(request.URL.Path, "/v1/verdict") {
		return transport.RoundTrip(request)
	}
	w.asked.Add(1)
	written, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	question := map[string]any{}
	if err := json.Unmarshal(written, &question); err != nil {
		return nil, fmt.Errorf("the question is no JSON object: %w", err)
	}
	question["end"] = w.line.Now().Unix()
	if written, err = json.Marshal(question); err != nil {
		return nil, err
	}
	changed := request.Clone(request.Context())
	changed.Body, changed.ContentLength, changed.GetBody = io.NopCloser(bytes.NewReader(written)), int64(len(written)), nil
	return transport.RoundTrip(changed)
}
