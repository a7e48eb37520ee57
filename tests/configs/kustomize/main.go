// Renders kustomizations as `kubectl kustomize` does, for tests/configs/test_deploy.py: each line of the input is a folder, each line
// of the output {"yaml": …} or {"error": …}.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

type answer struct {
	YAML  string `json:"yaml,omitempty"`
	Error string `json:"error,omitempty"`
}

func render(folder string) answer {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return answer{Error: err.Error()}
	}
	text, err := built.AsYaml()
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{YAML: string(text)}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := out.Encode(render(lines.Text())); err != nil {
			os.Exit(1)
		}
	}
}
