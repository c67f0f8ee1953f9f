// SPDX-License-Identifier: Apache-2.0

// strict: reads objects as JSON, one a line, the way an API server reads them that was asked to be strict, by
// Kubernetes' own types.  Prints each one's kind, or what is wrong with it; the status is 1 when anything is.
package main

import (
	"bufio"
	"fmt"
	"os"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	status := 0
	for lines.Scan() {
		_, kind, err := decoder.Decode(lines.Bytes(), nil, nil)
		if err != nil {
			fmt.Println("wrong:", err)
			status = 1
		} else {
			fmt.Println(kind.Kind)
		}
	}
	if lines.Err() != nil {
		fmt.Println("wrong:", lines.Err())
		status = 1
	}
	os.Exit(status)
}
