//go:build newest

package main

import (
	kubeinformers "k8s.io/client-go/informers"

	"github.com/argoproj/argo-rollouts/analysis"
)

// ofTheVersion sets what only one of the versions has.
func ofTheVersion(config *analysis.ControllerConfig, ofKube kubeinformers.SharedInformerFactory) {
	config.JobPodsInformer = ofKube.Core().V1().Pods()
}
