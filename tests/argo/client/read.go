package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	log "github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/metricproviders/webmetric"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/evaluate"
)

// canned answers every request with the same body.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

// read hands a body to Argo's web provider as if it had come over the wire. `refused` is why encoding/json does not take it: up to
// v1.9.1 the provider itself then calls the measurement successful.
func read(asked command) (any, error) {
	var each v1alpha1.Metric
	if err := yaml.UnmarshalStrict([]byte(asked.Metric), &each); err != nil {
		return nil, err
	}
	parser, err := webmetric.NewWebMetricJsonParser(each)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: canned{status: asked.Status, body: asked.Body}}
	measurement := webmetric.NewWebMetricProvider(*log.NewEntry(log.StandardLogger()), client, parser).Run(nil, each)
	refused := ""
	var data any
	if err := json.Unmarshal([]byte(asked.Body), &data); err != nil {
		refused = err.Error()
	}
	return map[string]any{"phase": measurement.Phase, "value": measurement.Value, "message": measurement.Message, "refused": refused}, nil
}

// evaluated holds a metric's conditions against a vector: what Argo's Prometheus provider makes of an instant query.
func evaluated(asked command) (any, error) {
	var each v1alpha1.Metric
	if err := yaml.UnmarshalStrict([]byte(asked.Metric), &each); err != nil {
		return nil, err
	}
	result := make([]float64, 0, len(asked.Result))
	for _, text := range asked.Result {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		result = append(result, value)
	}
	phase, err := evaluate.EvaluateResult(result, each, *log.NewEntry(log.StandardLogger()))
	return map[string]any{"phase": phase}, err
}

// document reads YAML as Kubernetes does.
func document(text string) (any, error) {
	var found any
	err := yaml.Unmarshal([]byte(text), &found)
	return found, err
}
