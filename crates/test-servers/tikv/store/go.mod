// The store that speaks TiKV's protocol: unistore, with the versions that it was last built with.
module hitmill.invalid/tikv-store

go 1.16

require (
	github.com/golang/protobuf v1.5.3
	github.com/ngaut/unistore v0.0.0-20231125025143-65768917ffc9
	github.com/pingcap/kvproto v0.0.0-20210308063835-39b884695fb8
	github.com/pingcap/log v0.0.0-20210317133921-96f4fcab92a4
	github.com/pingcap/tidb v1.1.0-beta.0.20210407104700-3d8084e972d1
	github.com/zhangjinpeng1987/raft v0.0.0-20200819064223-df31bb68a018
	go.uber.org/zap v1.16.0
	google.golang.org/grpc v1.56.3
)

replace (
	// A copy with one mistake mended: see where the store is fetched.
	github.com/pingcap/badger => ./badger
	// unistore builds with this fork of etcd only,
	go.etcd.io/etcd => github.com/zhangjinpeng1987/etcd v0.5.0-alpha.5.0.20201117041249-9487a87e2cbd
	// and the balancer of that fork with no later grpc than this.
	google.golang.org/grpc => google.golang.org/grpc v1.29.1
)
