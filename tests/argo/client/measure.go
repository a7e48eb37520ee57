package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	log "github.com/sirupsen/logrus"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/metric"
	"github.com/argoproj/argo-rollouts/metricproviders/kayenta"
	"github.com/argoproj/argo-rollouts/metricproviders/webmetric"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
)

// How often an unfinished measurement is taken up again, and for how long: Argo itself waits 15 s each time.
const (
	resumeEvery = 200 * time.Millisecond
	resumeFor   = 60 * time.Second
)

type measured struct {
	Metric  string                 `json:"metric"`
	Phase   v1alpha1.AnalysisPhase `json:"phase"`
	Value   string                 `json:"value"`
	Message string                 `json:"message"`
	DryRun  bool                   `json:"dryRun"`
	Skipped string                 `json:"skipped,omitempty"`
}

// measure takes one measurement of each metric of a template, as an AnalysisRun of it would.
func measure(asked command) ([]measured, error) {
	run, resolved, err := resolve(asked)
	if err != nil {
		return nil, err
	}
	begun := metav1.NewTime(time.Now().Add(-30 * time.Minute))
	run.Status.StartedAt = &begun
	dry, err := analysisutil.GetDryRunMetrics(run.Spec.DryRun, resolved)
	if err != nil {
		return nil, fmt.Errorf("analysis spec invalid: %w", err)
	}
	found := make([]measured, 0, len(resolved))
	for _, each := range resolved {
		one := take(run, each, time.Duration(asked.Patience)*time.Second)
		one.DryRun = dry[each.Name]
		found = append(found, one)
	}
	return found, nil
}

// resolve makes the AnalysisRun and its metrics, all args filled in.
func resolve(asked command) (*v1alpha1.AnalysisRun, []v1alpha1.Metric, error) {
	run, err := analysisRun(asked)
	if err != nil {
		return nil, nil, err
	}
	resolved := make([]v1alpha1.Metric, 0, len(run.Spec.Metrics))
	for _, each := range run.Spec.Metrics {
		filled, err := analysisutil.ResolveMetricArgs(each, run.Spec.Args)
		if err != nil {
			return nil, nil, fmt.Errorf("unable to resolve metric arguments: %w", err)
		}
		resolved = append(resolved, *filled)
	}
	if err := analysisutil.ValidateMetrics(resolved); err != nil {
		return nil, nil, fmt.Errorf("analysis spec invalid: %w", err)
	}
	return run, resolved, nil
}

// analysisRun makes the AnalysisRun that a Rollout would make of a template: args from the Rollout and its ReplicaSets, the template's
// defaults, nothing open.
func analysisRun(asked command) (*v1alpha1.AnalysisRun, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(asked.Template), &kind); err != nil {
		return nil, err
	}
	var templates []*v1alpha1.AnalysisTemplate
	var clusterTemplates []*v1alpha1.ClusterAnalysisTemplate
	switch kind.Kind {
	case "AnalysisTemplate":
		template := &v1alpha1.AnalysisTemplate{}
		if err := yaml.UnmarshalStrict([]byte(asked.Template), template); err != nil {
			return nil, err
		}
		templates = append(templates, template)
	case "ClusterAnalysisTemplate":
		template := &v1alpha1.ClusterAnalysisTemplate{}
		if err := yaml.UnmarshalStrict([]byte(asked.Template), template); err != nil {
			return nil, err
		}
		clusterTemplates = append(clusterTemplates, template)
	default:
		return nil, fmt.Errorf("kind %q is no template", kind.Kind)
	}
	args, err := arguments(asked)
	if err != nil {
		return nil, err
	}
	return analysisutil.NewAnalysisRunFromTemplates(templates, clusterTemplates, args, nil, nil, nil, nil, "run", "", "default")
}

func arguments(asked command) ([]v1alpha1.Argument, error) {
	var given []v1alpha1.AnalysisRunArgument
	if len(asked.Args) > 0 {
		if err := json.Unmarshal(asked.Args, &given); err != nil {
			return nil, err
		}
	}
	rollout := &v1alpha1.Rollout{}
	if err := yaml.UnmarshalStrict([]byte(asked.Rollout), rollout); err != nil {
		return nil, err
	}
	return analysisutil.BuildArgumentsForRolloutAnalysisRun(given, replicaSet(asked.Stable), replicaSet(asked.Latest), rollout)
}

func replicaSet(hash string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.DefaultRolloutUniqueLabelKey: hash}}}
}

// take measures one metric, and takes it up again until it is finished.
func take(run *v1alpha1.AnalysisRun, each v1alpha1.Metric, patience time.Duration) measured {
	provider, err := providerOf(each, patience)
	if err != nil {
		return measured{Metric: each.Name, Phase: v1alpha1.AnalysisPhaseError, Message: err.Error()}
	}
	if provider == nil {
		return measured{Metric: each.Name, Skipped: "neither web nor kayenta"}
	}
	measurement := provider.Run(run, each)
	for until := time.Now().Add(resumeFor); measurement.Phase == v1alpha1.AnalysisPhaseRunning && time.Now().Before(until); {
		time.Sleep(resumeEvery)
		measurement = provider.Resume(run, each, measurement)
	}
	return measured{Metric: each.Name, Phase: measurement.Phase, Value: measurement.Value, Message: measurement.Message}
}

// providerOf makes the provider of a metric as Argo's own factory does, without the factory's clients of a dozen clouds.
func providerOf(each v1alpha1.Metric, patience time.Duration) (metric.Provider, error) {
	logger := *log.NewEntry(log.StandardLogger())
	switch {
	case each.Provider.Kayenta != nil:
		client := kayenta.NewHttpClient()
		if patience > 0 {
			client.Timeout = patience
		}
		return kayenta.NewKayentaProvider(logger, client), nil
	case each.Provider.Web != nil:
		client, err := webmetric.NewWebMetricHttpClient(each)
		if err != nil {
			return nil, err
		}
		parser, err := webmetric.NewWebMetricJsonParser(each)
		if err != nil {
			return nil, err
		}
		return webmetric.NewWebMetricProvider(logger, client, parser), nil
	case each.Provider.Job != nil, each.Provider.Prometheus != nil:
		return nil, nil
	}
	return nil, errors.New("no valid provider in the metric")
}
