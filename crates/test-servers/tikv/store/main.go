// Command tikv-store serves TiKV's transactional protocol from one folder, under a real placement driver.
package main

import (
	"flag"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ngaut/unistore/config"
	"github.com/ngaut/unistore/server"
	"github.com/pingcap/kvproto/pkg/deadlock"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/log"
	"github.com/pingcap/tidb/store/mockstore/unistore/pd"
	"github.com/zhangjinpeng1987/raft"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

func main() {
	pdAddr := flag.String("pd", "", "address of the placement driver")
	addr := flag.String("addr", "", "address to listen on")
	advertise := flag.String("advertise", "", "address that clients and other stores are told, if it is another")
	dir := flag.String("dir", "", "data folder")
	level := flag.String("L", "fatal", "log level: at error, a harmless line comes with every heartbeat")
	flag.Parse()
	if *advertise == "" {
		*advertise = *addr
	}

	logger, props, err := log.InitLogger(&log.Config{Level: *level})
	must(err)
	log.ReplaceGlobals(logger, props)
	raft.SetLogger(raftLogger{logger.Sugar()})

	must(os.MkdirAll(filepath.Join(*dir, "kv"), 0o755))
	// The server wants to make this folder itself, and fails when an earlier run has left it.
	must(os.RemoveAll(filepath.Join(*dir, "snap")))

	// Before the placement driver hears of the store: other stores come as soon as it does, and a first snapshot that finds
	// nobody is never sent again. Connections wait until they are served.
	listener, err := net.Listen("tcp", *addr)
	must(err)
	conf := settings(*pdAddr, *advertise, *dir, *level)
	client, err := pd.NewClient([]string{*pdAddr}, "")
	must(err)
	placement := &placement{Client: client}
	store, err := server.New(&conf, placement)
	must(err)
	placement.store.Store(store)

	rpc := grpc.NewServer(limits()...)
	tikvpb.RegisterTikvServer(rpc, store)
	deadlock.RegisterDeadlockServer(rpc, store)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() { <-signals; rpc.Stop() }()
	must(rpc.Serve(listener))
	store.Stop()
}

func settings(pdAddr, advertise, dir, level string) config.Config {
	conf := config.DefaultConf
	conf.Server.PDAddr = pdAddr
	conf.Server.StoreAddr = advertise
	conf.Server.LogLevel = level
	conf.Server.Raft = true // without raft the locks of a transaction are lost by kill -9
	conf.Engine.DBPath = dir
	conf.Engine.SyncWrite = true // an acknowledged commit is on disk
	// Sized for tests: the defaults allocate hundreds of megabytes at the start.
	conf.Engine.MaxMemTableSize = 16 << 20
	// Only that much is set aside on disk. After a kill the locks are read again from the start of raft's log, unless they were
	// written down meanwhile, which seldom comes before a test's next kill; and the log keeps three files: once a fourth was
	// begun, the store would never start again.
	conf.Engine.VlogFileSize = 512 << 20
	conf.RaftStore.CustomRaftLog = false
	conf.RaftStore.PdHeartbeatTickInterval = "1s" // a test that waits for a split or a move waits for this
	conf.RaftStore.RaftBaseTickInterval = "100ms"
	conf.RaftStore.RaftStoreMaxLeaderLease = "900ms" // must stay below an election: 10 base ticks
	return conf
}

func limits() []grpc.ServerOption {
	const window = 64 << 20
	return []grpc.ServerOption{
		// Clients of TiKV ping idle connections often, and the default takes that for an attack.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 2 * time.Second, PermitWithoutStream: true}),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.MaxRecvMsgSize(window),
		grpc.MaxSendMsgSize(window),
	}
}

func must(err error) {
	if err != nil {
		log.S().Fatal(err)
	}
}

// raftLogger gives zap's logger the two names that raft calls it by.
type raftLogger struct{ *zap.SugaredLogger }

func (l raftLogger) Warning(v ...interface{})                 { l.Warn(v...) }
func (l raftLogger) Warningf(format string, v ...interface{}) { l.Warnf(format, v...) }
