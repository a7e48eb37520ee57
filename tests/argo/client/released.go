//go:build !newest

package main

import (
	kubeinformers "k8s.io/client-go/informers"

	"github.com/argoproj/argo-rollouts/analysis"
)

// ofTheVersion sets what only one of the versions has.
func ofTheVersion(*analysis.ControllerConfig, kubeinformers.SharedInformerFactory) {}
